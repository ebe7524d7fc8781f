"""The stream as players show it: frames and their exact times, walked through once."""
