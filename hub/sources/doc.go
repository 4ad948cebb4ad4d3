// Package sources keeps what plugins say of where a camera's pictures come from. It
// asks a plugin when it is configured, when its camera is, and when a dial or a login
// has failed; it looks at each answer before it believes it, puts the owner's word
// above the plugin's, and fills in passwords. The last good answer stays in force
// while a plugin is away: pictures do not end because a plugin did. A plugin that pushes on demand is
// told when its pictures are wanted. It dials nothing
// and shows no password. Read sources.go first, then describe.go.
package sources
