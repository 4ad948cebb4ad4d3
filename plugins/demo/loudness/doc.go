// Package loudness tells of one unit of speech how long it sounds and how loud it
// is. It plays and keeps nothing, and takes whatever bytes come.
package loudness
