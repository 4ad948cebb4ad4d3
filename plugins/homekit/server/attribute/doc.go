// Package attribute is the attribute database: the characteristics of one accessory server
// by their numbers, as JSON, read and written with the statuses of HAP 6.7. It promises
// numbers that come from the book alone, so that they stay, that what does not fit a
// characteristic's format and limits never reaches its callback, and that the value already
// held does. It knows no connection. Read database.go, then value.go.
package attribute
