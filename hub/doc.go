// Porchlight is the hub: it loads plugins as processes of their own and carries
// doorbell and motion events and pictures between them. This package only hands
// over to hub/cli; house_test.go holds the laws of the tree. Read docs/tour.md
// first.
package main
