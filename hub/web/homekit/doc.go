// Package homekit reads what the homekit plugin tells of Apple Home: its accessories,
// who is paired and watches, its setup codes, and what explains "No Response". Pages and
// the command line ask by it, and by nothing but the plugin's declared actions. It keeps
// nothing and draws nothing; a setup code is in no error and no log of it. Read shapes.go
// first, then ask.go, then answers.go.
package homekit
