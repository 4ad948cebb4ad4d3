// Package static holds what pages load beside their HTML: one style sheet, our
// ES modules, the icons. All is embedded, and served below an address that
// changes with the content, so that a browser keeps it for ever. Nothing here
// loads anything from another host. Read static.go first, then js/main.js (what
// every page starts) and js/player/player.js.
package static
