// Package tree reads YAML text into a tree of values that know their places,
// and shows lines of the text without what must not be seen.
//
// It knows nothing of the format's keys. Text that is huge, too deep, doubled
// by aliases or not UTF-8 ends in a fault with its place, never in a panic.
//
// Read read.go first, then node.go; excerpt.go is where secrets are masked.
package tree
