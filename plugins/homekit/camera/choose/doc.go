// Package choose decides which stream of a camera a controller gets, and in which form: the
// main one as it is where it fits what was selected, else the camera's other one as it is,
// else the main one converted by the hub. What it decides it can explain, one sentence a
// stream. It opens nothing.
package choose
