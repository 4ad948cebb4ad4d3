// Package pages draws the hub's pages on the server: handlers and templates side
// by side, one pair a page. Every page works without script for what forms can do;
// with script, parts of it are drawn again when something happened (?part=name
// gives one part). It decides nothing: it reads the rooms and calls the same
// methods as the API. No template holds inline script or style, and nothing
// unknown is ever shown as well. Read pages.go first, then home.go and home.html.
package pages
