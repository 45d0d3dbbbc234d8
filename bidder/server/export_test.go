package server

// CutListener takes the public listener away from a running server, as a failure of the system would.
func (s *Server) CutListener() error { return s.publicListener.Close() }
