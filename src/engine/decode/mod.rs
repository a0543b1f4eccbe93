//! Headers, from the frame to the transport, in place.
