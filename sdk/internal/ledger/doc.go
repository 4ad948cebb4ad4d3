// Package ledger remembers which events a plugin has handled in the last ten
// minutes, also across a restart of its process, so that a handler sees an event
// twice only if it died inside it. It writes one small file in the plugin's data
// folder and never blocks on a full disk: then it remembers in memory and says
// so. It does not sync: a killed process loses nothing of what the kernel took.
package ledger
