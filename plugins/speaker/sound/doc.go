// Package sound holds the house's own chimes: for each the recipe (which bells,
// when, how they die away) and the arithmetic that makes samples of it. It touches
// no device and reads no file. RECIPES.md is the same in words and numbers, for
// whoever plays them elsewhere (the browser does, with Web Audio); it is written
// by this package's test with -update. Read recipes.go first.
package sound
