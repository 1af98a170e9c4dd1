#!/bin/sh
echo "{{ let.title }}" {{ let.title | sh }} '{{ let.region }}'
