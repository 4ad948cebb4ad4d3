// Package doctor tells of Porchlight's troubles: one text for each error code
// (Explain), and what is wrong with this house and this machine now (Check). It
// changes nothing and mends nothing; it says how. What it says holds no secret and
// is safe to paste.
//
// Read explain.go and check.go first; each area of the house has a file of texts
// and one of checks.
package doctor
