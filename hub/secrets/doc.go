// Package secrets keeps what must not be shown: a plugin's own secrets, one file
// each (0600) under data_dir/secrets, and the redaction of such values in text that
// leaves the hub. It never writes a secret to a log or an error. Read secrets.go.
package secrets
