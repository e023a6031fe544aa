// mcp-entra and an MCP server in one function app on Azure Functions, Flex Consumption.
//
//   az deployment group create --resource-group RG --template-file main.bicep \
//       --parameters name=NAME tenantId=TENANT clientId=CLIENT
//
// It makes the app; docs/deploy/functions.md says how what runs in it is put there.

@description('Name of the function app: https://NAME.azurewebsites.net')
@minLength(2)
@maxLength(60)
param name string

param location string = resourceGroup().location

@description('Directory (tenant) ID')
param tenantId string = tenant().tenantId

@description('Application (client) ID of the app registration')
param clientId string

@description('Client secret, for clients with https redirect URIs; may be left out')
@secure()
param clientSecret string = ''

@description('Public URL of the MCP endpoint, where it is not https://NAME.azurewebsites.net/mcp')
param resourceUrl string = ''

@description('What is there beside mcp-entra: custom for an MCP server that is a program by itself, else python, node or dotnet-isolated')
@allowed(['custom', 'python', 'node', 'dotnet-isolated'])
param runtime string = 'custom'

@description('Version of the runtime: 1.0 for custom, 3.12 for python, 22 for node')
param runtimeVersion string = '1.0'

@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

var deployments = 'deployments'
var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'

var settings = {
  AzureWebJobsStorage__accountName: storage.name
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  // without it the host shows a page of its own at / while it starts
  AzureWebJobsDisableHomepage: 'true'
  MCP_ENTRA_TENANT: tenantId
  MCP_ENTRA_CLIENT_ID: clientId
  // WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES must not be here: with it App Service serves metadata of
  // its own that names Entra ID as the authorization server, and clients never find mcp-entra.
}
var secretSetting = empty(clientSecret) ? {} : { MCP_ENTRA_CLIENT_SECRET: clientSecret }
var resourceSetting = empty(resourceUrl) ? {} : { MCP_ENTRA_RESOURCE: resourceUrl }
var pythonSetting = runtime == 'python' ? { PYTHONPATH: '/home/site/wwwroot/.python_packages/lib/site-packages' } : {}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: take('mcp${uniqueString(resourceGroup().id, name)}', 24)
  location: location
  sku: { name: 'Standard_LRS' }
  kind: 'StorageV2'
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource container 'containers' = {
      name: deployments
    }
  }
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${name}-logs'
  location: location
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: name
  location: location
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: '${name}-plan'
  location: location
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

// Authentication (Easy Auth) is off: mcp-entra signs users in and checks every token itself.
resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  kind: 'functionapp,linux'
  identity: { type: 'SystemAssigned' }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    // no cors here: with it the platform answers preflight requests itself, and wrongly for a
    // sign-in
    siteConfig: {
      minTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deployments}'
          authentication: { type: 'SystemAssignedIdentity' }
        }
      }
      runtime: {
        name: runtime
        version: runtimeVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
  }

  dependsOn: [storage::blobs::container]

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: union(settings, secretSetting, resourceSetting, pythonSetting)
  }
}

resource mayStore 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, app.id, blobDataOwner)
  scope: storage
  properties: {
    principalId: app.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataOwner)
  }
}

@description('What users give their MCP clients')
output url string = empty(resourceUrl) ? 'https://${app.properties.defaultHostName}/mcp' : resourceUrl
