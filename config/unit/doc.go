// Package unit holds values that are written with their unit: lengths of time,
// sizes and shares. A bare number is an error that says which unit to write.
package unit
