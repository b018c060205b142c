"""What is decided: pure state machines. No asyncio, no clock, no files; time and events are arguments."""
