// Package chromium drives a real headless Chromium from a Go test over the pipe of its
// debugging protocol, so that the browser may be on another network than the test: a
// phone's page is opened, tapped, held, typed on and asked. The browser has a home of
// its own, trusts a local CA when it was installed there as a person does, and hears a
// tone where others have a microphone. It ends with its test. Read browser.go, then
// page.go.
package chromium
