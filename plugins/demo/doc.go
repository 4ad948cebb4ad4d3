// Package demo is a doorbell without a doorbell: it pushes an embedded film of a
// porch, and rings and moves when it is asked to. It never rings by itself, never
// starts another program and decodes no video. It is also the smallest complete
// camera plugin, so read it when you write one: plugin.go (life and abilities),
// then camera.go (one camera's stream), loop.go (the film).
package demo
