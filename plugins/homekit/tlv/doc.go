// Package tlv reads and writes TLV8, the format of HomeKit's pairing messages and of the
// camera's settings (HAP 14.1): a tag, a length of one byte, a value; values over 255
// bytes go on in items of the same tag. Parse and Writer know items, Marshal and
// Unmarshal know structs. What it reads is checked and bounded first; it never panics on
// bytes and never gives half of a value. Read items.go first, then marshal.go.
package tlv
