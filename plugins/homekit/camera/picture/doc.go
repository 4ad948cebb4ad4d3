// Package picture keeps a camera's newest pictures for Home: one that is young enough is
// given at once, a new one is fetched once for all who wait for the same size, and what was
// asked for an event was taken after it. No answer takes longer than the limit: where no new
// picture comes, the last one is given with its age drawn into it, or an error. It asks the
// hub and never the camera. Read shelf.go first.
package picture
