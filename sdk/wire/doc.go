// Package wire is protocol 1 as both ends speak it: the go-plugin handshake, the
// options of the gRPC connection, and the plugin's half of the two streams
// (Outbox: what waits, what is under way, what was answered). It knows messages,
// not authors: sdk makes an author's words of them, hub/supervisor a hub's. It
// never uses go-plugin's broker. Imported by sdk, sdk/plugintest and
// hub/supervisor alone. Read handshake.go first, then outbox.go.
package wire
