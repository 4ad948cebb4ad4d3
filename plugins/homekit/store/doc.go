// Package store keeps, on disk, what an accessory must never forget: its identity, its
// setup code, who is paired, the numbers of its parts, values that Home set. One folder
// for each accessory, one small file for each matter, in the names and forms of
// hap.Server's store. A write is whole or not there, whenever the power goes. A file
// that does not parse stops that accessory with its name told; a new identity is made
// only where there is none at all. Nothing of it is ever logged.
// Read store.go first, then accessory.go, files.go and identity.go.
package store
