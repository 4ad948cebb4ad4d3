// Package access knows who may come in: logins, roles, sessions, one-time setup
// links, the tokens of programs and the passwords of streams, kept in hub.db. It
// promises that a password lies there only as an argon2id hash, that setup tokens,
// sessions and tokens lie there only as SHA-256 of what the bearer holds, that a stream
// password opens streams and nothing else, that a setup token works once and for 30
// minutes, that a token does no more than its scopes and cameras say, and that
// guessing is slowed after five tries. It never sees a request or a cookie: that is
// hub/web's part. Read access.go first, then token.go and streams.go.
package access
