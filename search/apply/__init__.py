"""Apply: which configurations come first, and which sampler continues from there?"""
