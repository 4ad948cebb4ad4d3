// Package files reads a configuration's files into one tree: the main file, what
// it includes, and the values that secret://, env:// and file:// stand for.
//
// Every value keeps the place that it was written at. It writes nothing, follows
// no include further than eight files deep, and knows of the format only the keys
// include and version. Text that is missing, strange or hostile ends in a fault.
//
// Read set.go first.
package files
