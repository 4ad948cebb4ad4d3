// Package webhook is the chime that rings by calling a URL: a gong on the LAN, a smart
// plug, a service of one's own. It answers that it played when the receiver answered
// with success, and else why not. One ring is one request: it is sent again only where
// no connection came about, so that nothing rings twice, and goes on to another path
// of the same host once at most. It never shows a URL's query, a header or a secret in
// a message. Read plugin.go first, then call.go.
package webhook
