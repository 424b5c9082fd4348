"""An edge transmitter: images in, symbols out, results counted. The only end that retries."""
