// Package web is the hub's face: one HTTP server out of api, pages and static, and
// the admin socket. It promises that nothing but the login is answered to somebody
// who is not signed in, that pages of other sites and names that are not the hub's
// are refused, that no answer lets a script of another place run, and that a broken
// handler ends one request only. It decides nothing about the house.
// Read server.go first, then guard.go.
package web
