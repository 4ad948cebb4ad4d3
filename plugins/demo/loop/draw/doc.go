//go:build loop

// Command draw makes the demo's moving picture and its sound: a porch at dusk, a
// visitor, a parcel. It is built by hand (-tags loop, see ../make.sh) and never
// ships; what it made is embedded by plugins/demo. Read scene.go first: it says
// what happens at which second. light.go is the paint box, people.go the actors.
package main
