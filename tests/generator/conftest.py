"""A small contract that uses each construct once, for tests to change."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

SMALL = """
openapi: 3.1.0
info: {title: Pets, version: "2"}
paths:
  /pets:
    x-scope: /
    parameters: [$ref: "#/components/parameters/ApiVersion"]
    get:
      operationId: Pets_List
      tags: [Pets]
      x-added-in: "1"
      summary: List the pets of a house
      parameters: [{name: $filter, in: query, required: false, schema: {type: string}}]
      responses: &page {"200": {$ref: "#/components/responses/Page"}, default: {description: A failure.}}
  /rooms/{roomName}/pets:
    x-scope: /rooms/{roomName}
    parameters:
      - {name: roomName, in: path, required: true, schema: {type: string}}
      - $ref: "#/components/parameters/ApiVersion"
    get:
      operationId: Pets_ListInRoom
      tags: [Pets]
      x-added-in: "1"
      summary: List the pets of a room
      parameters: [{name: $filter, in: query, required: false, schema: {type: string}}]
      responses: *page
  /baths/{petName}:
    parameters:
      - {name: petName, in: path, required: true, schema: {type: string}}
      - $ref: "#/components/parameters/ApiVersion"
    post:
      operationId: Baths_Start
      tags: [Baths]
      x-added-in: "2"
      summary: Start to wash a pet
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Soap"}}}}
      responses:
        "202":
          description: The bath is filling.
          headers: {azure-asyncoperation: {schema: {type: string}}}
          content: {application/json: {schema: {$ref: "#/components/schemas/Bath"}}}
    get:
      operationId: Baths_Status
      tags: [Baths]
      x-added-in: "2"
      x-polled: true
      summary: Get the status of a bath
      responses: {"200": {description: So., content: {application/json: {schema: {$ref: "#/components/schemas/Bath"}}}}}
components:
  parameters:
    ApiVersion: {name: api-version, in: query, required: true, schema: {type: string, enum: ["1", "2"]}}
  responses:
    Page: {description: A page., content: {application/json: {schema: {$ref: "#/components/schemas/Page"}}}}
  schemas:
    Page:
      title: A page of pets
      type: object
      required: [value]
      properties:
        value: {x-added-in: "1", type: array, items: {type: string}}
    Soap:
      title: What to wash with
      type: object
      additionalProperties: false
      properties:
        scent: {x-added-in: "2", type: string}
    Bath:
      title: A bath
      type: object
      required: [status]
      properties:
        status: {x-added-in: "1", $ref: "#/components/schemas/Status"}
    Status: {type: string, x-known-values: [Filling, Done]}
"""


@pytest.fixture(name="small")
def _small() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(SMALL)
    return loaded
