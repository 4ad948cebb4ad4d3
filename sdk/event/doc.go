// Package event holds the house's word for something that happened, and what
// follows from it: subjects, filters, classes, ids, and the way to and from the
// protocol's messages. It knows neither gRPC nor a store. Authors meet it as
// sdk.Event. Read event.go first.
package event
