// Package browser holds the tests of the pages in a real Chromium, against the
// real hub with the demo plugin. It has no code of the product. Each test is a
// script in scripts/, driven by node and playwright-core; browser_test.go builds
// the hub, starts it and says which script sees which house. Read scripts/lib.mjs
// first: what it watches in every script (no request to another host, nothing
// that the policy refused, no error in the console) is never switched off.
package browser
