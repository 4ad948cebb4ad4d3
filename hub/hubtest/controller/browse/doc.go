// Package browse hears who announces itself by mDNS (RFC 6762, RFC 6763) on one IPv4
// network, as a controller does before it connects. It remembers until a name says
// good-bye, and does not mind how old it is. Read browse.go.
package browse
