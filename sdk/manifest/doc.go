// Package manifest is what a plugin says of itself: who it is, what it can do, what
// it asks for, how it is set up. A bundled plugin carries its manifest in code, a
// packed one in plugin.yaml; both have the same checks. The package also works out
// what is left of the wishes once owner and policy had their say. It decides
// nothing about a running hub and reads no file by itself but those of the fs.FS
// it is given. Read manifest.go first, then grant.go.
package manifest
