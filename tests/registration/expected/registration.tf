# The app registration of the MCP server https://mcp.example.com/mcp, for mcp-entra.
#
# ChatGPT: newer connectors have a redirect URI of their own,
# https://chatgpt.com/connector/oauth/…, which ChatGPT shows when the connector
# is made.
#
# The client secret is in the state, and comes out of it with
# terraform output -raw client_secret > mcp-entra-client-secret
#
# Serve with it, --upstream being your MCP server:
# MCP_ENTRA_CLIENT_SECRET_FILE=mcp-entra-client-secret \
# mcp-entra serve \
#   --resource https://mcp.example.com/mcp \
#   --upstream http://127.0.0.1:9000/mcp \
#   --tenant 11111111-2222-4333-8444-555555555555 \
#   --client-id <client_id>

terraform {
  required_providers {
    azuread = {
      source  = "hashicorp/azuread"
      version = "~> 3.0"
    }
  }
}

provider "azuread" {
  tenant_id = "11111111-2222-4333-8444-555555555555"
}

data "azuread_client_config" "current" {}

resource "azuread_application" "mcp" {
  display_name                   = "MCP server mcp.example.com/mcp"
  sign_in_audience               = "AzureADMyOrg"
  owners                         = [data.azuread_client_config.current.object_id]
  fallback_public_client_enabled = true

  public_client {
    redirect_uris = [
      "cursor://anysphere.cursor-mcp/oauth/callback",
      "http://localhost/callback",
      "http://127.0.0.1/",
      "http://127.0.0.1:33418/",
    ]
  }

  web {
    redirect_uris = [
      "https://www.cursor.com/agents/mcp/oauth/callback",
      "https://vscode.dev/redirect",
      "https://insiders.vscode.dev/redirect",
      "https://claude.ai/api/mcp/auth_callback",
      "https://claude.com/api/mcp/auth_callback",
      "https://chatgpt.com/connector_platform_oauth_redirect",
    ]
  }

  api {
    requested_access_token_version = 2

    oauth2_permission_scope {
      id                         = "0630377e-2b4a-5d9d-bd6b-aca7d252b9ce"
      value                      = "access_as_user"
      type                       = "User"
      enabled                    = true
      admin_consent_display_name = "Access mcp.example.com/mcp as the user"
      admin_consent_description  = "MCP clients may call mcp.example.com/mcp on behalf of the signed-in user, with access_as_user."
      user_consent_display_name  = "Access mcp.example.com/mcp as you"
      user_consent_description   = "MCP clients may call mcp.example.com/mcp on your behalf, with access_as_user."
    }
  }

  lifecycle {
    # it names the client id, and so is a resource of its own
    ignore_changes = [identifier_uris]
  }
}

resource "azuread_application_identifier_uri" "mcp" {
  application_id = azuread_application.mcp.id
  identifier_uri = "api://${azuread_application.mcp.client_id}"
}

resource "azuread_service_principal" "mcp" {
  client_id = azuread_application.mcp.client_id
}

resource "azuread_application_password" "mcp" {
  application_id = azuread_application.mcp.id
  display_name   = "mcp-entra"
}

output "client_secret" {
  value     = azuread_application_password.mcp.value
  sensitive = true
}

output "client_id" {
  value = azuread_application.mcp.client_id
}

output "tenant_id" {
  value = data.azuread_client_config.current.tenant_id
}
