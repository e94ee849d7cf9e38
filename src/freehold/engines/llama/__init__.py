"""The inside of an engine child: one model on llama.cpp, spoken to in OpenAI's way. Refuses to know other engines."""
