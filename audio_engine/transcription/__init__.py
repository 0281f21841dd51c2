"""From recognised words to a transcript with speakers: who said each word, where sentences end, how captions read.

Pure: knows no model and imports nothing heavy. The models that hear the words are backends.
"""
