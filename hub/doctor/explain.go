package doctor

import (
	"maps"
	"slices"
)

// Text explains one error code to an owner.
type Text struct {
	Title string `json:"title"` // what happened, in a few words
	What  string `json:"what"`  // why it is an error and what the hub does meanwhile
	Mend  string `json:"mend"`  // what to do
}

// areas lists the texts of the whole house; a new area adds its line.
func areas() []map[string]Text {
	return []map[string]Text{
		busTexts(),
		cameraTexts(),
		configTexts(),
		homekitTexts(),
		hubTexts(),
		mediaTexts(),
		speakerTexts(),
		pageTexts(),
		pluginTexts(),
		restreamTexts(),
		sourceTexts(),
		talkTexts(),
		tlsTexts(),
		webTexts(),
		whepTexts(),
	}
}

// Explain gives the text of a code such as E-CFG-UNKNOWN-KEY.
func Explain(code string) (Text, bool) {
	for _, area := range areas() {
		if t, ok := area[code]; ok {
			return t, true
		}
	}
	return Text{}, false
}

// Codes lists every code that has a text, in order.
func Codes() []string {
	all := map[string]Text{}
	for _, area := range areas() {
		maps.Copy(all, area)
	}
	return slices.Sorted(maps.Keys(all))
}
