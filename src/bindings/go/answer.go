//go:build cgo

package mailru

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
)

// Params are a call's parameters. Any other value that encoding/json makes an object of serves as well.
type Params map[string]any

// Answer is the platform's JSON, byte for byte.
type Answer json.RawMessage

// String is the text as it came.
func (answer Answer) String() string { return string(answer) }

// MarshalJSON is the text as it came.
func (answer Answer) MarshalJSON() ([]byte, error) { return json.RawMessage(answer).MarshalJSON() }

// Decode stores the answer in what into points to, as json.Unmarshal does, but numbers in an any stay exact: they
// become a json.Number. Ids that are a number here and a string there fit into an [ID].
func (answer Answer) Decode(into any) error {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// Value is the answer as Go's maps, slices, strings and json.Numbers.
func (answer Answer) Value() (any, error) {
	var value any
	err := answer.Decode(&value)
	return value, err
}

// CallAs is [Session.Call] with the answer as a T.
func CallAs[T any](ctx context.Context, session *Session, method string, params any) (T, error) {
	var value T
	answer, err := session.Call(ctx, method, params)
	if err == nil {
		err = answer.Decode(&value)
	}
	return value, err
}

// ID is an id of the platform's: 64 bits, sent as a string or as a number.
type ID string

// UnmarshalJSON takes a string or a number.
func (id *ID) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(id))
	}
	var number json.Number
	if err := json.Unmarshal(text, &number); err != nil {
		return err
	}
	*id = ID(number)
	return nil
}

// encode is the JSON of a value, nil for none. A json.RawMessage is handed over as it is.
func encode(argument string, value any) ([]byte, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return checked(argument, value)
	case Answer:
		return checked(argument, value)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	// <, > and & are not escaped: a nested value is sent as it is written here.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		failure := invalid(argument, argument+": "+err.Error())
		failure.causes = []error{err}
		return nil, failure
	}
	text.Truncate(text.Len() - 1)
	if text.String() == "null" {
		return nil, nil
	}
	return text.Bytes(), nil
}

// checked is a raw text, if it is JSON: else it could break out of the request that it stands in.
func checked(argument string, text []byte) ([]byte, error) {
	if len(text) == 0 || json.Valid(text) {
		return text, nil
	}
	problem := json.Unmarshal(text, new(any))
	if problem == nil {
		problem = errors.New("not JSON")
	}
	return nil, invalid(argument, argument+": "+problem.Error())
}

// File is a file to upload.
type File struct {
	// Field is the form field, such as "img_file".
	Field string
	// Name is what the file is called.
	Name string
	// Type is its media type; "application/octet-stream" if it is empty.
	Type string
	// Data is the file, unless it comes from Reader, which is read to its end before the request begins.
	Data   []byte
	Reader io.Reader
	// Progress is told how many bytes of the request were sent, some times a second and once at the end, on another
	// goroutine. The upload returns after its last call.
	Progress func(sent, total uint64)
}

// content is the file's bytes, not nil.
func (file *File) content() ([]byte, error) {
	data := file.Data
	if file.Reader != nil {
		var err error
		if data, err = io.ReadAll(file.Reader); err != nil {
			return nil, err
		}
	}
	if data == nil {
		// To the library, NULL is a missing file, not an empty one.
		data = []byte{}
	}
	return data, nil
}
