// Package setup makes and reads what a phone needs to add an accessory: the setup code
// of eight digits, the setup id, the address inside the QR code and the hash by which a
// phone finds the scanned accessory (HAP 4.2; homekit.md 7). A code shows itself to
// nobody who prints or logs it: string(code) is asked for by name. Read setup.go first.
package setup
