// Package access knows who may come in: logins, roles, sessions and one-time
// setup links, kept in hub.db. It promises that a password lies there only as an
// argon2id hash, that setup tokens and sessions lie there only as SHA-256 of what
// the bearer holds, that a setup token works once and for 30 minutes, and that
// guessing is slowed after five tries. It never sees a request or a cookie: that
// is hub/web's part. Read access.go first.
package access
