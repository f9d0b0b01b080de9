// Package mqttv5 takes uLogger binary logs, crash dumps and text logs to the
// cloud over MQTT 5.
//
// A Client holds one connection for any number of uploads and devices. New
// checks the Config without touching the network; the first call that needs the
// broker connects, and Close says goodbye. UploadLog does the whole job for one
// buffer: it verifies the checksum, gets the device's session token (from the
// SessionStore or by the boot handshake), writes the token into the buffer,
// publishes it and waits for the broker's acknowledgement. GetSessionToken,
// GetOrFetchToken, PublishBinaryLog and PublishCoreDump are its parts.
//
// # Guarantees
//
// A call that returns nil has been acknowledged by the broker with a success
// code. A call that fails makes one attempt and says so: after ErrNetwork the
// message may or may not have arrived, and sending it again is safe because the
// record id (user property "ulogkit-id") is derived from the content.
//
// A buffer whose checksum is wrong is refused before anything is sent. A message
// that the broker would refuse for its size is refused before anything is sent.
// Names that come from devices cannot leave their topic segment.
//
// # Errors
//
// Every error is an *Error or wraps one; errors.Is tells what to do about it:
// ErrBadData (repair the data), ErrConfig (repair the call or the Config),
// ErrCredentials (repair the certificate or key), ErrNetwork (try again later),
// ErrRefused (the server said no; the text names its reason code).
package mqttv5
