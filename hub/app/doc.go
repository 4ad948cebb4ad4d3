// Package app builds the rooms from the config, owns their lives, and hands each
// its part of a new config. It decides nothing itself: what a room does is the
// room's matter. Read app.go, then apply.go for an edit's way through the house.
package app
