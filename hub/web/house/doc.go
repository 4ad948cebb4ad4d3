// Package house shows the real rooms to the web: it turns what they export into the
// shapes of hub/web/api, and the web's wishes into their calls. It keeps no state and
// decides nothing. Read house.go first.
package house
