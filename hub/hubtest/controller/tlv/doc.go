// Package tlv is the test controller's own TLV8 (HAP, chapter 14): items in order, what
// is longer than 255 bytes in parts. Read tlv.go.
package tlv
