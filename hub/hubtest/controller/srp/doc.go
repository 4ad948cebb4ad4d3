// Package srp is the asking side of SRP-6a as HAP uses it (section 5.5: the group of
// 3072 bits of RFC 5054, SHA-512, the user Pair-Setup), for the test controller. Read
// srp.go.
package srp
