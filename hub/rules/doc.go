// Package rules says what follows from an event. Until rules can be written, one
// built-in rule stands here: a ring rings every chime that is not muted. It never
// rings for a replay or for a ring older than the camera's age limit; such a ring
// is shown only. Read rules.go.
package rules
