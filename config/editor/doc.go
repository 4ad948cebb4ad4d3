// Package editor says what the format knows to those who help an owner write it: one
// JSON schema with the plugins' own merged in, for language servers, and the meaning of
// single keys, for people.
//
// It checks no file; what the hub takes is decided by config alone. Read schema.go.
package editor
