// Package plugintest is the conformance kit: it runs any plugin, in any language,
// against the contract of protocol 1 and tells for each rule whether it held. Run
// starts a binary over the true handshake; InProcess runs a Go plugin over the same
// wire inside the test, so that the race detector sees it; Check is the same without
// package testing. Start gives an author a small hub for tests of his own. The kit's
// hub is a stand-in: it keeps no journal and grants all that the manifest asks.
// Read rules.go first.
package plugintest
