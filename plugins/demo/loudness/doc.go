// Package loudness tells of one unit of speech how long it sounds and how loud it
// is, and of the last second of it which tone it is, if it is one. It plays nothing, and
// takes whatever bytes come.
package loudness
