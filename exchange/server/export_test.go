package server

// EverybodyWaits takes all places of sellers who wait for the end of a lead, until free is called.
func (s *Server) EverybodyWaits() (free func()) {
	for range cap(s.waits) {
		s.waits <- struct{}{}
	}
	return func() {
		for range cap(s.waits) {
			<-s.waits
		}
	}
}

// CutListener takes the public listener away from a running server, as a failure of the system would.
func (s *Server) CutListener() error { return s.listener.Close() }
